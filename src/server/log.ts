/** The log of the process: plain lines on a terminal, JSON for programs otherwise. */
import process from 'node:process';
import { type Logger, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Config } from '../config/configuration.js';

/** The fields of the line about a request; on a terminal they are its message. */
const REQUEST_FIELDS = ['reqId', 'method', 'url', 'route', 'principal', 'status', 'ms'];

export function openLog({ logLevel }: Config): Logger | undefined {
  if (logLevel === 'silent') return undefined;
  const options = { level: logLevel };
  return process.stdout.isTTY ? pino(options, terminal()) : pino(options);
}

function terminal() {
  return pretty({
    translateTime: 'HH:MM:ss',
    ignore: ['pid', 'hostname', ...REQUEST_FIELDS].join(','),
    messageFormat: words,
    // What is said last, before the process ends, is said too.
    sync: true,
  });
}

function words({ msg, reqId, ...line }: Record<string, unknown>): string {
  if (msg === 'request') {
    const who = line.principal === undefined ? '' : ` for ${line.principal}`;
    return `${line.method} ${line.url}: ${line.status}${who}, ${line.ms} ms`;
  }
  return reqId === undefined ? `${msg}` : `${msg} (${reqId})`;
}

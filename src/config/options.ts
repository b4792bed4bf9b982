/** The command line: few options, since everything is set by environment variables. */
import { parseArgs } from 'node:util';
import { VERSION } from './version.js';

/** What the command line asks for: to say something and end, or to start. */
export type Asked =
  | { readonly say: string }
  | { readonly wrong: string }
  | { readonly port: string | undefined };

const HELP = `pebslab ${VERSION}: simulates how Linux perf and KVM move PMU MSRs between host and guest, over HTTP

Usage: npm start -- [options]
       node dist/src/server.js [options]

  --port N    listen on port N, in place of PORT (8080)
  --version   say the version and end
  --help, -h  say this and end

Everything else is set by environment variables, which the README lists: HOST, LOG_LEVEL, DATA_DIR, DATABASE_URL, …
`;

export function readOptions(args: readonly string[]): Asked {
  let values: { port?: string; version?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    // The first sentence says what is wrong; the others say how to pass what begins with a dash.
    const [reason] = (error as Error).message.split(/[.\n]/);
    return { wrong: `${reason}. --help lists the options.` };
  }
  if (values.help) return { say: HELP };
  if (values.version) return { say: `${VERSION}\n` };
  const { port } = values;
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) <= 65_535)) {
    return {
      wrong: `--port must be an integer from 0 to 65535, not ${JSON.stringify(port.slice(0, 100))}.`,
    };
  }
  return { port };
}

/** The formats of reports, and how their files are called. */
import { type ExportFile, fileName } from '../exports.js';
import { toJunit } from './junit.js';
import { toKcidb } from './kcidb.js';
import { toKtap } from './ktap.js';
import type { Report } from './report.js';

export const REPORT_TYPES = {
  ktap: 'text/plain',
  junit: 'application/xml',
  kcidb: 'application/vnd.kernelci.kcidb+json',
} as const;
export type ReportFormat = keyof typeof REPORT_TYPES;

const WRITERS: Readonly<
  Record<ReportFormat, { extension: string; write: (report: Report) => string }>
> = {
  ktap: { extension: 'ktap', write: toKtap },
  junit: { extension: 'junit.xml', write: toJunit },
  kcidb: {
    extension: 'kcidb.json',
    write: (report) => `${JSON.stringify(toKcidb([report]), null, 2)}\n`,
  },
};

export function reportFile(format: ReportFormat, report: Report): ExportFile {
  const { extension, write } = WRITERS[format];
  const about = report.label === undefined ? [report.id] : [report.id, report.label];
  return { name: fileName(about, extension), text: write(report) };
}

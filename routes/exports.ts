/** Answers that are also to be had as files: the formats of a route, and how a file is sent. */
import type { FastifyReply } from 'fastify';
import { type ExportQuery, ExportTextSchema } from '../schemas/export.js';
import {
  EXPORT_TYPES,
  type ExportFile,
  type ExportFormat,
  GRAPH_TYPES,
  type GraphFormat,
} from '../src/service/exports.js';
import { REPORT_TYPES, type ReportFormat, reportFile } from '../src/service/reports/formats.js';
import type { Report } from '../src/service/reports/report.js';

const JSON_TYPE = 'application/json';

/** For `config` of the routes. */
export const formats = { json: JSON_TYPE, ...EXPORT_TYPES };
export const reportFormats = { json: JSON_TYPE, ...REPORT_TYPES };
export const graphFormats = { json: JSON_TYPE, ...GRAPH_TYPES };

/** What people read in a browser; the rest is downloaded. */
const INLINE: readonly string[] = [EXPORT_TYPES.text, EXPORT_TYPES.mermaid];

/** The answer 200 of a route: JSON of this schema, or any of the formats. */
export function answerOf<Schema extends object>(
  schema: Schema,
  description: string,
  types: Readonly<Record<string, string>> = EXPORT_TYPES,
  file: object = ExportTextSchema,
) {
  const texts = Object.values(types).map((type) => [type, { schema: file }]);
  return {
    description,
    content: { [JSON_TYPE]: { schema }, ...Object.fromEntries(texts) },
  };
}

/** The format that is asked for; null for JSON. */
export function formatAsked(reply: FastifyReply): ExportFormat | null {
  return askedOf(EXPORT_TYPES, reply);
}

export function graphAsked(reply: FastifyReply): GraphFormat | null {
  return askedOf(GRAPH_TYPES, reply);
}

export function reportAsked(reply: FastifyReply): ReportFormat | null {
  return askedOf(REPORT_TYPES, reply);
}

function askedOf<Format extends string>(
  types: Readonly<Record<Format, string>>,
  { request }: FastifyReply,
): Format | null {
  const asked = (Object.keys(types) as Format[]).find((one) => types[one] === request.answerType);
  return asked ?? null;
}

/** Whether the steps that only mark time are spelt out. */
export function wantsAll({ steps }: ExportQuery): boolean {
  return steps === 'all';
}

/** What a route answers as JSON, unless it is asked for as a report. */
export async function sendReported(
  reply: FastifyReply,
  item: object,
  report: () => Report | Promise<Report>,
): Promise<FastifyReply> {
  const asked = reportAsked(reply);
  if (asked === null) return reply.type(JSON_TYPE).send(item);
  return sendFile(reply, reportFile(asked, await report()));
}

export function sendFile(reply: FastifyReply, { name, text }: ExportFile): FastifyReply {
  const type = reply.request.answerType;
  const disposition = INLINE.includes(type) ? 'inline' : 'attachment';
  return reply
    .type(type)
    .header('content-disposition', `${disposition}; filename="${name}"`)
    .send(text);
}

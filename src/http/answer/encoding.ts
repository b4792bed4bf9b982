/** Whether an answer that is stored compressed can be sent so. */
import type { FastifyRequest } from 'fastify';

export function takesGzip({ headers }: FastifyRequest): boolean {
  const header = headers['accept-encoding'];
  const codings = (Array.isArray(header) ? header.join(',') : (header ?? '')).slice(0, 2000);
  const weights = new Map(codings.split(',').map(parseCoding));
  const weight = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0;
  return weight > 0;
}

function parseCoding(text: string): [string, number] {
  const [coding = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return [coding, weight === undefined ? 1 : Number(weight.slice(2))];
}

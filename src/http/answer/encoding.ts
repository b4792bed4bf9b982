/** Whether a client takes gzip. One that takes just anything (`*`) gets plain text. */
import type { FastifyRequest } from 'fastify';

export function takesGzip({ headers }: FastifyRequest): boolean {
  const codings = String(headers['accept-encoding'] ?? '')
    .slice(0, 1000)
    .toLowerCase();
  return codings.split(',').some((coding) => {
    const [name, weight] = coding.split(';').map((part) => part.trim());
    return name === 'gzip' && !(weight !== undefined && /^q=0(\.0*)?$/.test(weight));
  });
}

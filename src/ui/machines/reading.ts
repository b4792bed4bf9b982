/** What was read out of a text of a real machine, whether it is stored or only looked at. */
import { type Api, addressOf, get, send } from '../api/client.js';

export type Observation = Api['Observation'];
export type Preview = Api['ObservationPreview'];
export type Finding = Api['ObservationFinding'];

/** What both have. */
export type Reading = Preview | Observation;

/** Longer texts are not fetched again for the lines of evidence: their numbers must do. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** Sends a file as it is. */
export async function sendFile(
  file: File,
  query: { readonly dry_run: boolean; readonly machine?: string },
): Promise<Reading> {
  const type = file.name.endsWith('.gz') ? 'application/gzip' : 'text/plain';
  const body = file.slice(0, file.size, type);
  const address = addressOf('/v1/observations', { query });
  const headers = { prefer: 'wait=30' };
  const response = await send('POST', address, { body, headers }, 'application/json');
  return response.json();
}

export async function linesOfFile(file: File): Promise<readonly string[] | undefined> {
  if (file.size > TEXT_BYTES_MAX || file.name.endsWith('.gz')) return undefined;
  return (await file.text()).split(/\r\n|\n/);
}

export async function linesOfStored(id: string, bytes: number | undefined, signal: AbortSignal) {
  if (bytes === undefined || bytes > TEXT_BYTES_MAX) return undefined;
  const response = await send('GET', `/v1/observations/${id}/raw`, { signal }, 'text/plain');
  return (await response.text()).split(/\r\n|\n/);
}

export function getObservation(observation: string, signal: AbortSignal): Promise<Observation> {
  return get('/v1/observations/{observation}', { path: { observation }, signal });
}

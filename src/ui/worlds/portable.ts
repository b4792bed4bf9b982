/** A world of one's own in an address: the model itself, so that another service can search it. */
import { type Api, get, post } from '../api/client.js';
import type { Exploration } from './searches.js';

type Model = Api['ExplorationModel'];

/** So many searches of the kernel are looked at before the world is searched again. */
const NEWEST = 20;

/** The part of an address that means the same world on every service: a scenario's name, or the model. */
export async function portableKey({
  scenario,
  model,
}: Pick<Exploration, 'scenario' | 'model'>): Promise<string> {
  return scenario === undefined ? `m/${await encodeModel(model)}` : `s/${scenario}`;
}

async function encodeModel(model: Model): Promise<string> {
  const bytes = await through(new CompressionStream('deflate-raw'), canonical(model));
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

async function decodeModel(text: string): Promise<Model> {
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  );
  const plain = await through(new DecompressionStream('deflate-raw'), bytes);
  return JSON.parse(new TextDecoder().decode(plain)) as Model;
}

function through(stream: GenericTransformStream, data: BlobPart): Promise<ArrayBuffer> {
  return new Response(new Blob([data]).stream().pipeThrough(stream)).arrayBuffer();
}

/** The same text for the same model, in whatever order its fields come. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** The search of such a world: one that is there, or a new one. */
export async function findModel(
  text: string,
  states: number | undefined,
  signal: AbortSignal,
): Promise<Exploration> {
  const model = await decodeModel(text);
  const query = { kernel: model.kernel, limit: NEWEST };
  const { items } = await get('/v1/explorations', { query, signal });
  const wanted = canonical(model);
  const known = items.find((one) => one.state === 'succeeded' && canonical(one.model) === wanted);
  const body = { model, ...(states === undefined ? {} : { bounds: { states } }) };
  const headers = { prefer: 'wait=30' };
  return known ?? post('/v1/explorations', { body, headers, signal });
}

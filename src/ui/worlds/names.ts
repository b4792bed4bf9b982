/** What kernels and CPU models there are, for forms. */
import { get } from '../api/client.js';

const query = { limit: 1000 };

export async function loadNames(signal: AbortSignal) {
  const [kernels, cpuModels] = await Promise.all([
    get('/v1/kernels', { query, signal }),
    get('/v1/cpu-models', { query, signal }),
  ]);
  return {
    kernels: kernels.items.map(({ id }) => id),
    cpuModels: cpuModels.items.map(({ id }) => id),
  };
}

/** The thread that explains a recording. */
import { performance } from 'node:perf_hooks';
import type { KernelExplanation } from '../../../schemas/explanation.js';
import { answerTasks } from '../../explorer/answer-tasks.js';
import { Symbols } from '../../model/recordings/symbols.js';
import { explain } from '../../observations/explain/explain.js';
import { cpuModelById, kernelById } from '../lookups.js';
import type { ExplainingTask } from './explaining-thread.js';
import { explanationItem } from './kernel-item.js';

/** Of one kernel. */
const MILLIS_MAX = 120_000;
const BYTES_MAX = 512 * 2 ** 20;

answerTasks<ExplainingTask, KernelExplanation>(
  async ({ given, run, symbols: data, stop, progress }) => {
    const symbols = Symbols.of(data);
    const found = explain(
      given,
      kernelById(given.kernel, '/kernel'),
      cpuModelById(given.cpu_model, '/cpu_model'),
      run,
      symbols,
      {
        limits: { millisMax: MILLIS_MAX, bytesMax: BYTES_MAX },
        now: () => performance.now(),
        stop,
        onProgress: (records) => Atomics.store(progress, 0, records),
      },
    );
    return explanationItem(given.kernel, found, run, symbols);
  },
);

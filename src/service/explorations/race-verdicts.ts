/** Whether the main race leaves a bit stuck: it depends on nothing but the catalogue, so each pair is searched once. */
import type { RaceVerdict } from '../../../schemas/comparison.js';
import type { WarmSearchThread } from '../../explorer/warm-search-thread.js';
import { mainRace } from '../../model/worlds/matrix.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import { cpuModelById, kernelById } from '../lookups.js';
import { machineSource } from './job.js';

export class RaceVerdicts {
  /** By CPU model and kernel: never more than the catalogue has pairs. */
  private readonly known = new Map<string, Promise<RaceVerdict>>();

  constructor(private readonly warmThread: WarmSearchThread) {}

  /** Both must be in the catalogue. */
  of(cpuModel: string, kernel: string): Promise<RaceVerdict> {
    const pair = `${cpuModel} ${kernel}`;
    let verdict = this.known.get(pair);
    if (verdict === undefined) {
      verdict = this.search(cpuModel, kernel);
      this.known.set(pair, verdict);
      verdict.catch(() => this.known.delete(pair));
    }
    return verdict;
  }

  private async search(cpuModel: string, kernel: string): Promise<RaceVerdict> {
    const { precise } = capsOf(
      kernelById(kernel, '/kernels'),
      cpuModelById(cpuModel, '/cpu_models'),
    );
    // Where perf takes no precise event there is no race.
    if (precise.max === 0) {
      return { prompt: 'unreachable', late: 'unreachable' };
    }
    const verdict = async (timing: 'prompt' | 'late') => {
      const source = machineSource(mainRace(cpuModel, kernel, timing), ['I1']);
      const options = { stopAtFirstViolation: true, groupsMax: 1, pathsMax: 1 };
      return (await this.warmThread.search(source, options)).verdict;
    };
    return { prompt: await verdict('prompt'), late: await verdict('late') };
  }
}

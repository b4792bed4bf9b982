/**
 * The explorations of the service: a few run at once, each in worker threads of its own, the rest wait their turn.
 */
import type { RaceVerdict } from '../../../schemas/comparison.js';
import type { Counterexample, WalkState } from '../../../schemas/counterexample.js';
import type { Exploration, ExplorationRequest } from '../../../schemas/exploration.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import { ProblemError } from '../../errors.js';
import type { Progress } from '../../explorer/explore.js';
import { WORDS_MAX } from '../../explorer/model.js';
import { type Path, PathError, parsePath } from '../../explorer/path.js';
import { Scout } from '../../explorer/scout.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import { missing } from '../hosts.js';
import { randomId } from '../ids.js';
import { exploredWorld } from './explored-world.js';
import { machineSource, runExploration } from './job.js';
import { MachineModel } from './machine-model.js';
import { mermaid, narrate, story } from './narration.js';
import { replayScript } from './replay-script.js';
import { type AskedExploration, askedExploration } from './request.js';
import { mainRace } from './scenarios.js';
import { walkState } from './walk.js';

/** How many explorations are kept, how many run at once, and how many may wait. */
const KEPT_MAX = 200;
const RUNNING_MAX = 2;
const QUEUE_MAX = 32;

/** Telling a step takes about 0.1 ms of the event loop. */
const TOLD_STEPS_MAX = 1000;

interface Entry {
  resource: Exploration;
  readonly request: AskedExploration['request'];
  readonly fold: boolean;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  readonly end: () => void;
}

export class Explorations {
  private readonly entries = new Map<string, Entry>();
  private readonly queue: Entry[] = [];
  private running = 0;
  private readonly scout = new Scout();

  create(request: ExplorationRequest): Exploration {
    const { request: asked, model } = askedExploration(request);
    if (this.queue.length >= QUEUE_MAX) {
      throw new ProblemError(
        'too_many_requests',
        `${QUEUE_MAX} explorations are waiting already.`,
        [],
        {},
        { 'retry-after': '5' },
      );
    }
    // Setting the world up here refuses what cannot be meant before anything is queued.
    const machine = new MachineModel(exploredWorld(model, '/model'), asked.properties);
    if (machine.words > WORDS_MAX) {
      const detail = `needs ${machine.words * 32} bits a state, and a search keeps at most ${WORDS_MAX * 32}: take fewer events, vCPUs or budgets`;
      throw new ProblemError('rule_violated', `/model ${detail}.`, [{ pointer: '/model', detail }]);
    }
    // A scenario's counts are pinned without folding, so by name it is searched without, unless asked otherwise.
    const fold = (request.fold ?? request.scenario === undefined) && machine.folding.length > 0;
    const entry = this.enter(asked, model, fold ? machine.folding : [], fold);
    this.queue.push(entry);
    this.next();
    return entry.resource;
  }

  /** Whether the main race leaves a bit stuck; its few hundred states need no resource of their own. */
  async raceVerdict(cpuModel: string, kernel: string): Promise<RaceVerdict> {
    const verdict = async (timing: 'prompt' | 'late') => {
      const source = machineSource(mainRace(cpuModel, kernel, timing), ['I1']);
      return (await this.scout.search(source, { stopAtFirstViolation: true })).verdict;
    };
    return { prompt: await verdict('prompt'), late: await verdict('late') };
  }

  list(): readonly Exploration[] {
    return [...this.entries.values()].map(({ resource }) => resource);
  }

  get(id: string): Exploration {
    return this.entry(id).resource;
  }

  /** Waits for the end of an exploration, at most so long; then it is read again. */
  async wait(id: string, millis: number): Promise<Exploration> {
    const entry = this.entry(id);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      entry.ended,
      new Promise((resolve) => {
        timer = setTimeout(resolve, millis);
      }),
    ]);
    clearTimeout(timer);
    return entry.resource;
  }

  /** Stops a search within moments; one that has ended stays as it is. */
  async cancel(id: string): Promise<Exploration> {
    const entry = this.entry(id);
    const waiting = this.queue.indexOf(entry);
    if (waiting >= 0) {
      this.queue.splice(waiting, 1);
      this.finish(entry, { state: 'cancelled' });
    }
    entry.abort.abort();
    await this.wait(id, 2000);
    return entry.resource;
  }

  /** Stops everything, for the end of the process. */
  async close(): Promise<void> {
    await Promise.all([...this.entries.keys()].map((id) => this.cancel(id)));
    await this.scout.close();
  }

  /** A counterexample by its id, `<property>-<number>`. */
  counterexample(id: string, counterexampleId: string): Counterexample {
    const { model, path, property } = this.find(id, counterexampleId);
    const steps = narrate(model, path);
    return {
      id: counterexampleId,
      property,
      path: path.join('/'),
      steps: steps.map(({ label: _, ...step }) => step),
      ...replayScript(model, path),
    };
  }

  counterexampleStory(id: string, counterexampleId: string): string {
    const { model, path, property } = this.find(id, counterexampleId);
    const { spec } = model.explored;
    const statement = INVARIANTS.find((invariant) => invariant.id === property)?.statement ?? '';
    return story(
      `${property} on ${spec.kernel}, ${spec.cpu_model}: ${statement}`,
      narrate(model, path),
    );
  }

  counterexampleDiagram(id: string, counterexampleId: string): string {
    const { model, path } = this.find(id, counterexampleId);
    return mermaid(narrate(model, path));
  }

  /** The state at a path, what is possible there, and why the rest is not. */
  state(id: string, text: string): WalkState {
    const model = this.model(this.entry(id));
    try {
      return walkState(model, parsePath(text));
    } catch (error) {
      if (error instanceof PathError) {
        throw new ProblemError('not_found', error.message);
      }
      throw error;
    }
  }

  private find(
    id: string,
    counterexampleId: string,
  ): { model: MachineModel; path: Path; property: string } {
    const entry = this.entry(id);
    const property = counterexampleId.slice(0, counterexampleId.lastIndexOf('-'));
    const link = entry.resource.properties
      .find((outcome) => outcome.id === property)
      ?.counterexamples.find((one) => one.id === counterexampleId);
    if (link === undefined) {
      return missing('counterexample', counterexampleId);
    }
    if (link.steps > TOLD_STEPS_MAX) {
      throw new ProblemError(
        'limit_reached',
        `The counterexample has ${link.steps} steps, and at most ${TOLD_STEPS_MAX} are told: search breadth-first, or set bounds.depth.`,
      );
    }
    return { model: this.model(entry), path: parsePath(link.path), property };
  }

  private model(entry: Entry): MachineModel {
    return new MachineModel(exploredWorld(entry.resource.model, ''), entry.request.properties);
  }

  private entry(id: string): Entry {
    return this.entries.get(id) ?? missing('exploration', id);
  }

  private enter(
    request: AskedExploration['request'],
    model: ExplorationModel,
    folded: string[],
    fold: boolean,
  ): Entry {
    this.forgetOldest();
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const resource: Exploration = {
      id: randomId('exp'),
      state: 'queued',
      progress: { done: 0, unit: 'states' },
      created_at: new Date().toISOString(),
      ...(request.scenario === undefined ? {} : { scenario: request.scenario }),
      model,
      ...(request.compare_with === undefined ? {} : { compare_with: request.compare_with }),
      cut: null,
      distinct_states: 0,
      total_states: 0,
      depth: 0,
      bytes_per_state: 0,
      states_per_second: 0,
      folded,
      properties: [],
    };
    const entry = { resource, request, fold, abort: new AbortController(), ended, end };
    this.entries.set(resource.id, entry);
    return entry;
  }

  /** Keeps the number of explorations bounded: the oldest that has ended goes. */
  private forgetOldest(): void {
    if (this.entries.size < KEPT_MAX) {
      return;
    }
    for (const [id, { resource }] of this.entries) {
      if (resource.finished_at !== undefined) {
        this.entries.delete(id);
        return;
      }
    }
    throw new ProblemError('limit_reached', `The service keeps at most ${KEPT_MAX} explorations.`);
  }

  private next(): void {
    while (this.running < RUNNING_MAX) {
      const entry = this.queue.shift();
      if (entry === undefined) {
        return;
      }
      this.running += 1;
      void this.run(entry);
    }
  }

  private async run(entry: Entry): Promise<void> {
    entry.resource = { ...entry.resource, state: 'running' };
    const { signal } = entry.abort;
    try {
      const outcome = await runExploration(
        this.scout,
        entry.request,
        entry.resource.model,
        entry.fold,
        {
          signal,
          onProgress: (progress) => {
            entry.resource = { ...entry.resource, progress: progressItem(progress) };
          },
        },
      );
      const states = outcome.distinct_states ?? 0;
      this.finish(entry, {
        ...outcome,
        state: signal.aborted ? 'cancelled' : 'succeeded',
        progress: { ...entry.resource.progress, done: states },
      });
    } catch (error) {
      this.finish(entry, {
        state: 'failed',
        error: error instanceof Error ? error.message.slice(0, 500) : 'unknown',
      });
    }
    this.running -= 1;
    this.next();
  }

  private finish(entry: Entry, outcome: Partial<Exploration>): void {
    entry.resource = { ...entry.resource, ...outcome, finished_at: new Date().toISOString() };
    entry.end();
  }
}

function progressItem(progress: Progress): Exploration['progress'] {
  const { millisLeft } = progress;
  return {
    done: progress.states,
    unit: 'states',
    rate_per_second: progress.statesPerSecond,
    depth: progress.depth,
    frontier: progress.frontier,
    megabytes: progress.bytes / 1024 / 1024,
    ...(millisLeft === null
      ? {}
      : {
          seconds_left: [millisLeft.low, millisLeft.likely, millisLeft.high].map((ms) => ms / 1000),
        }),
  };
}

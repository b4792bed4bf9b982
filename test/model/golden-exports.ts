/**
 * The files that the tests of the formats compare with test/exports/, and the recordings they are of; run as a program with
 * `write`, it writes them anew.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import type { Path } from '../../src/explorer/path.js';
import { search } from '../../src/explorer/search.js';
import { exploredWorld } from '../../src/model/explored-world.js';
import { FORMATS } from '../../src/model/exports/formats.js';
import { recordingOfPath, storyOfPath } from '../../src/model/exports/of-path.js';
import type { Recording } from '../../src/model/exports/recording.js';
import { MachineModel } from '../../src/model/machine-model.js';
import { EXPORT_FORMATS, type ExportFormat } from '../../src/model/vocabulary.js';
import { SCENARIOS } from '../../src/model/worlds/scenarios.js';

export const GOLDEN = 'test/exports';

/** The main race in every format, and a world with two CPUs where CPUs have parts of their own. */
const SHOWN = [
  { scenario: 'matrix-linux-7.2.6-k3-late', property: 'I1', formats: EXPORT_FORMATS },
  { scenario: 'h7-migration-pebs-v1', property: 'I5h', formats: ['vcd', 'chrome'] },
] as const;

export const pause = async (): Promise<void> => {};

export interface Shown {
  readonly name: string;
  readonly property: string;
  readonly model: MachineModel;
  readonly path: Path;
  readonly recording: Recording;
  readonly formats: readonly ExportFormat[];
}

export async function shown(
  scenarioId: string,
  property: string,
  formats: readonly ExportFormat[] = [],
): Promise<Shown> {
  const scenario = SCENARIOS.find(({ id }) => id === scenarioId);
  if (scenario === undefined) throw new Error(scenarioId);
  const model = new MachineModel(exploredWorld(scenario.model), scenario.properties);
  const found = search(model).properties.find(({ id }) => id === property);
  const path = found?.evidence?.groups[0]?.listed[0];
  if (path === undefined) throw new Error(`${scenarioId} does not violate ${property}`);
  const title = `${property} in ${scenarioId}`;
  const recording = await recordingOfPath(model, { path, title }, pause);
  return { name: `${property}_${scenarioId}`, property, model, path, recording, formats };
}

export function shownOnes(): Promise<Shown[]> {
  return Promise.all(
    SHOWN.map(({ scenario, property, formats }) => shown(scenario, property, formats)),
  );
}

export async function written(
  { recording, model, path, property }: Shown,
  format: ExportFormat,
): Promise<string> {
  const row = FORMATS[format];
  if ('ofRecording' in row) return [...row.ofRecording(recording)].join('');
  const { title } = recording;
  return row.ofStory(await storyOfPath(model, { path, title, property }, pause), false);
}

export function fileOf({ name }: Shown, format: ExportFormat): string {
  return `${GOLDEN}/${name}.${FORMATS[format].extension}`;
}

if (process.argv[2] === 'write') {
  for (const one of await shownOnes()) {
    for (const format of one.formats) {
      writeFileSync(fileOf(one, format), await written(one, format));
    }
  }
}

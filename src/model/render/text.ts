/** A path as a story for people, and as a sequence diagram. */
import type { EndValue } from './provenance.js';
import type { RenderedStep } from './rendered-steps.js';

const INDENT = ' '.repeat(16);

export interface Story {
  readonly title: string;
  readonly paragraph: string;
  readonly steps: readonly RenderedStep[];
  readonly end: readonly EndValue[];
}

/** The paragraph, the steps, and how it ends. `all` also spells out the steps that only mark time. */
export function toText({ title, paragraph, steps, end }: Story, all: boolean): string {
  const parts = [
    title,
    paragraph,
    inGroups(steps, all)
      .map((group) => groupLine(group, all))
      .join('\n'),
    ...(end.length === 0 ? [] : [endLines(steps.length, end)]),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Steps one by one, and those in a row that only mark time together. */
function inGroups(steps: readonly RenderedStep[], all: boolean): RenderedStep[][] {
  const groups: RenderedStep[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (!all && step.folded && last?.[0]?.folded && last[0].cpu === step.cpu) {
      last.push(step);
    } else {
      groups.push([step]);
    }
  }
  return groups;
}

function groupLine(group: readonly RenderedStep[], all: boolean): string {
  const [step] = group as [RenderedStep];
  const { number, cpu, actor, title } = step;
  if (step.folded && !all) {
    return `${String(number).padStart(3)} cpu${cpu}       ${foldedSteps(group)}`;
  }
  const writes = step.msr_writes.map(({ msr, value, via }) => `${msr} := ${value} by ${via}`);
  const details = [
    ...writes,
    ...step.state_change,
    ...step.decisions,
    ...(step.source === '' ? [] : [step.source]),
  ];
  const head = `${String(number).padStart(3)} cpu${cpu} ${actor.padEnd(5)} ${title}`;
  return [head, ...details.map((line) => `${INDENT}${line}`)].join('\n');
}

function foldedSteps(group: readonly RenderedStep[]): string {
  const titles = group.map(({ title }) => title).join(', ');
  return group.length === 1 ? titles : `${group.length} steps: ${titles}`;
}

/** Each wrong field: what it holds, and below it what it should hold. */
function endLines(steps: number, end: readonly EndValue[]): string {
  const lines = end.flatMap(({ of, field, hardware, desired, bits }) => [
    `${of} ${field}`,
    `    hardware  ${hardware}`,
    `    desired   ${desired}`,
    ...(bits === undefined ? [] : [`    differ in ${bits}`]),
  ]);
  return [`After step ${steps}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

const PARTICIPANTS = ['perf', 'kvm', 'nmi', 'cpu', 'guest', 'host'];

/** A Mermaid sequence diagram: software and hardware as participants, MSR writes as messages. */
export function toMermaid({ steps }: Story, all: boolean): string {
  const lines = [
    'sequenceDiagram',
    ...PARTICIPANTS.map((name) => `  participant ${name}`),
    ...inGroups(steps, all).flatMap(groupArrows),
  ];
  return `${lines.join('\n')}\n`;
}

function groupArrows(group: readonly RenderedStep[]): string[] {
  const [step] = group as [RenderedStep];
  const { actor } = step;
  if (group.length > 1) {
    return [`  Note over ${actor}: ${plain(foldedSteps(group))}`];
  }
  const what = plain(step.micro_step ?? step.action);
  const notes = step.decisions.map((decision) => `  Note over ${actor}: ${plain(decision)}`);
  const writes = step.msr_writes.map(
    ({ msr, value }) => `  ${actor}->>cpu: ${what} ${msr} = ${value}`,
  );
  return writes.length === 0 ? [`  Note over ${actor}: ${what}`, ...notes] : [...writes, ...notes];
}

/** Without what means something to Mermaid. */
function plain(text: string): string {
  return text.replaceAll(';', ',').replaceAll(':', ' ');
}

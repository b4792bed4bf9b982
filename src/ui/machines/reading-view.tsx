/** What a text shows: the verdict of the machine and of each CPU, the findings with their lines, and what could not be read. */
import { whole } from '../widgets/numbers.js';
import type { Finding, Reading } from './reading.js';
import { MachineMark, type MachineVerdict } from './verdict.js';

/** Machines have thousands of CPUs; those that are clean come last. */
const CPUS_SHOWN = 64;
const REJECTS_SHOWN = 50;
const ORDER: readonly MachineVerdict[] = ['stuck', 'transient', 'inconclusive'];

interface Props {
  readonly reading: Reading;
  /** The text, line by line, if it is at hand. */
  readonly lines: readonly string[] | undefined;
}

export function ReadingView({ reading, lines }: Props) {
  const { verdict, format, bytes = 0, records = 0, cpus = [], findings = [] } = reading;
  const { rejected = [], rejected_total = 0, losses = [], cut, facts = {} } = reading;
  const { missing = [], preconditions = [], next } = reading;
  const ranked = [...cpus].sort((a, b) => rank(a.verdict) - rank(b.verdict) || a.cpu - b.cpu);
  return (
    <>
      <div class="host-head">
        <div role="status">
          <h2 class="machine-verdict">
            <MachineMark verdict={verdict} />
          </h2>
        </div>
        <span class="muted">
          {format}, {whole(bytes)} bytes, {whole(records)} records
          {cut && ', cut'}
        </span>
      </div>
      {next !== null && next !== undefined && <p>{next}</p>}
      {[...new Set(preconditions)]
        .filter((one) => one !== next)
        .map((one) => (
          <p key={one}>{one}</p>
        ))}
      <section class="panel" aria-labelledby="findings">
        <header>
          <h2 id="findings">Findings</h2>
        </header>
        {findings.length === 0 && <p class="inside muted">No rule has found anything.</p>}
        {findings.map((finding, at) => (
          <FindingView key={at} finding={finding} lines={lines} />
        ))}
      </section>
      <div class="machine-facts">
        <section class="panel" aria-labelledby="cpus">
          <header>
            <h2 id="cpus">CPUs</h2>
            {ranked.length > CPUS_SHOWN && (
              <span class="muted">
                {CPUS_SHOWN} of {whole(ranked.length)}
              </span>
            )}
          </header>
          {ranked.length === 0 ? (
            <p class="inside muted">The text is about no CPU by its number.</p>
          ) : (
            <ul class="inside plain-list">
              {ranked.slice(0, CPUS_SHOWN).map(({ cpu, verdict, reason }) => (
                <li key={cpu}>
                  <strong>{cpu}</strong> <MachineMark verdict={verdict} />{' '}
                  <span class="muted">{reason.replace(/^Inconclusive: /, '')}</span>
                </li>
              ))}
            </ul>
          )}
        </section>
        <section class="panel" aria-labelledby="facts">
          <header>
            <h2 id="facts">What it says of the machine</h2>
          </header>
          {Object.keys(facts).length > 0 && (
            <dl class="inside averages">
              {Object.entries(facts).map(([name, value]) => (
                <div key={name}>
                  <dt>{name.replaceAll('_', ' ')}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          )}
          {missing.length > 0 && (
            <p class="inside muted">Not said: {missing.join(', ').replaceAll('_', ' ')}</p>
          )}
        </section>
      </div>
      {losses.length > 0 && (
        <p>
          Lost by the tool:{' '}
          {losses
            .map(({ cpu, count }) => `${count ?? 'unknown'}${cpu === null ? '' : ` on CPU ${cpu}`}`)
            .join(', ')}
        </p>
      )}
      {rejected.length > 0 && (
        <details open={rejected_total < 10}>
          <summary>Lines that could not be read: {whole(rejected_total)}</summary>
          <ul class="plain-list">
            {rejected.slice(0, REJECTS_SHOWN).map(({ line, reason }) => (
              <li key={line}>
                <span class="number">{line}</span> {reason}
                <Line text={lines?.[line - 1]} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function rank(verdict: MachineVerdict): number {
  const at = ORDER.indexOf(verdict);
  return at < 0 ? ORDER.length : at;
}

const LINES_SHOWN = 12;

function FindingView(props: { readonly finding: Finding; readonly lines: Props['lines'] }) {
  const { rule, verdict, text, bits, msr, lines } = props.finding;
  return (
    <div class="inside finding">
      <p>
        <code>{rule}</code> <MachineMark verdict={verdict} /> {text}
      </p>
      {bits.length > 0 && (
        <p class="muted">
          {msr}: {bits.join(', ')}
        </p>
      )}
      <ol class="evidence" aria-label="Evidence">
        {lines.slice(0, LINES_SHOWN).map((line) => (
          <li key={line}>
            <span class="number muted">{line}</span>
            <Line text={props.lines?.[line - 1]} />
          </li>
        ))}
      </ol>
      {lines.length > LINES_SHOWN && (
        <p class="muted">and {lines.length - LINES_SHOWN} more lines</p>
      )}
    </div>
  );
}

function Line({ text }: { readonly text: string | undefined }) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals colour what they record
  return text === undefined ? null : <code class="line">{text.replace(/\x1b\[[\d;]*m/g, '')}</code>;
}

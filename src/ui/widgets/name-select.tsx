/** A field in which one of some names is chosen. */
interface Props {
  readonly label: string;
  /** Empty where none is chosen. */
  readonly value: string;
  /** Without the chosen one where they are not loaded yet, or where it is another name of one of them. */
  readonly names: readonly string[] | undefined;
  /** What it means that none is chosen, if that may be. */
  readonly none?: string;
  readonly choose: (name: string) => void;
}

export function NameSelect({ label, value, names = [], none, choose }: Props) {
  const offered = value === '' || names.includes(value) ? names : [...names, value];
  return (
    <label class="field">
      {label}
      <select value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {offered.map((name) => (
          <option key={name} value={name} selected={name === value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

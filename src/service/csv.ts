/** CSV (RFC 4180) that a spreadsheet takes for text and numbers, never for formulas. */

export type CsvValue = string | number | undefined;

export function csv(columns: readonly string[], rows: readonly (readonly CsvValue[])[]): string {
  return [columns, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(value: CsvValue): string {
  if (typeof value !== 'string') {
    return value === undefined ? '' : String(value);
  }
  const text = harmless(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A spreadsheet takes a text that begins with one of these for a formula; behind an apostrophe it does not (OWASP,
 * "CSV Injection").
 */
function harmless(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}

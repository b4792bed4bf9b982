/** Numbers as people read them. */

const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export function whole(value: number): string {
  return value.toLocaleString('en');
}

/** 1.24M, 40K. */
export function short(value: number): string {
  return SHORT.format(value);
}

/** A duration, as exact as it matters. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** The time of day where the browser is. */
export function clock(timestamp: string): string {
  return new Date(timestamp).toLocaleTimeString('en-GB');
}

/** The day as well, for what may be older. */
export function moment(timestamp: string): string {
  const date = new Date(timestamp);
  const isToday = date.toDateString() === new Date().toDateString();
  const day = isToday ? '' : `${date.toLocaleDateString('en-CA')} `;
  return day + date.toLocaleTimeString('en-GB');
}

export function count(number: number, what: string): string {
  return `${whole(number)} ${what}${number === 1 ? '' : 's'}`;
}

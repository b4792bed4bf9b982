/** A canvas context, as far as the timeline uses one, that writes down what is drawn as elements of SVG. */

/** A digit of the fonts is that much of their size wide; what is fitted into boxes is in monospace or bold capitals. */
const DIGIT_WIDTH = 0.61;
const CAPITAL_WIDTH = 0.72;

const ANCHORS: Readonly<Record<string, string>> = { left: 'start', center: 'middle', right: 'end' };

interface Style {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
}

/** Colours are names of CSS classes: `fill-…` for areas and text, `line-…` for lines. */
export class SvgCanvas implements Style {
  fillStyle = '';
  strokeStyle = '';
  lineWidth = 1;
  font = '';
  textAlign = 'left';
  textBaseline = 'middle';
  readonly elements: string[] = [];
  #dash: readonly number[] = [];
  #path = '';
  readonly #saved: Style[] = [];
  #clips = 0;

  fillRect(x: number, y: number, width: number, height: number): void {
    this.elements.push(`<rect class="fill-${this.fillStyle}"${box(x, y, width, height)}/>`);
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    this.elements.push(`<rect${this.#line()}${box(x, y, width, height)}/>`);
  }

  fillText(text: string, x: number, y: number): void {
    const [, bold = '', size = '', family = ''] = /^(bold )?([\d.]+)px (\S+)/.exec(this.font) ?? [];
    const look = `${family.startsWith('ui-monospace') ? ' mono' : ''}${bold && ' bold'}`;
    const anchor = ANCHORS[this.textAlign];
    this.elements.push(
      `<text class="fill-${this.fillStyle}${look}" x="${short(x)}" y="${short(y)}" font-size="${size}" text-anchor="${anchor}">${escaped(text)}</text>`,
    );
  }

  measureText(text: string): { readonly width: number } {
    const size = Number.parseFloat(this.font.replace('bold ', ''));
    const one = this.font.startsWith('bold') ? CAPITAL_WIDTH : DIGIT_WIDTH;
    return { width: text.length * one * size };
  }

  beginPath(): void {
    this.#path = '';
  }

  moveTo(x: number, y: number): void {
    this.#path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x: number, y: number): void {
    this.#path += `L${short(x)} ${short(y)}`;
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.#path += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}z`;
  }

  stroke(): void {
    this.elements.push(`<path${this.#line()} d="${this.#path}"/>`);
  }

  save(): void {
    this.#saved.push({
      fillStyle: this.fillStyle,
      strokeStyle: this.strokeStyle,
      lineWidth: this.lineWidth,
    });
  }

  /** Until `restore`; the timeline never saves without clipping. */
  clip(): void {
    this.#clips += 1;
    const id = `clip-${this.#clips}`;
    this.elements.push(
      `<clipPath id="${id}"><path d="${this.#path}"/></clipPath><g clip-path="url(#${id})">`,
    );
  }

  restore(): void {
    Object.assign(this, this.#saved.pop());
    this.elements.push('</g>');
  }

  setLineDash(dash: readonly number[]): void {
    this.#dash = dash;
  }

  #line(): string {
    const dash = this.#dash.length > 0 ? ` stroke-dasharray="${this.#dash.join(' ')}"` : '';
    return ` class="line-${this.strokeStyle}" stroke-width="${this.lineWidth}"${dash}`;
  }
}

function box(x: number, y: number, width: number, height: number): string {
  return ` x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
}

function short(number: number): string {
  return String(Math.round(number * 10) / 10);
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Reads server-sent events (WHATWG HTML) out of the pieces in which they arrive. */
export interface Message {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

export class EventParser {
  private rest = '';
  private id = '';
  private type = '';
  private data: string[] = [];
  /** How long to wait before connecting again, as the stream says. */
  retryMillis = 3000;

  read(piece: string): Message[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    const messages: Message[] = [];
    for (const line of lines) {
      if (line !== '') this.field(line);
      else messages.push(...this.end());
    }
    return messages;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') this.id = value;
    else if (name === 'event') this.type = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMillis = Number(value);
  }

  private end(): Message[] {
    const { id, type, data } = this;
    this.type = '';
    this.data = [];
    if (type === '' && data.length === 0) return [];
    return [{ id, type: type || 'message', data: data.join('\n') }];
  }
}

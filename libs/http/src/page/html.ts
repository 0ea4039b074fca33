/** Text that is HTML already. Everything else is escaped where it is put into a page. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | readonly Html[] | string;

/** A piece of a page: what is put between is escaped, unless it is HTML itself. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  const written = texts.map((text, index) => text + write(parts[index] ?? ''));
  return new Html(written.join(''));
}

function write(part: Part): string {
  if (part instanceof Html) {
    return part.text;
  }
  return typeof part === 'string' ? escape(part) : part.map(write).join('');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

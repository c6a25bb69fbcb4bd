/** What a terminal shows, as a page to take a picture of. */

const STYLES = {
  1: 'font-weight: 600',
  2: 'opacity: 0.6',
  31: 'color: #ff7b72',
  32: 'color: #56d364',
  33: 'color: #e3b341',
  36: 'color: #56d4dd',
};

const ESCAPE = String.fromCharCode(27);
const SEQUENCE = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`);

/** @param lines with escape sequences for colours, as tmux gives them */
export function terminalPage(lines) {
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; }
    #terminal { width: max-content; padding: 14px 18px; background: #0d1117; color: #e6edf3;
      font: 15px / 1.4 'DejaVu Sans Mono', monospace; }
    pre { margin: 0; font: inherit; }
  </style><div id="terminal"><pre>${lines.map(styledLine).join('\n')}</pre></div>`;
}

function styledLine(line) {
  let styles = [];
  let html = '';
  for (const part of line.split(SEQUENCE)) {
    if (!part.startsWith(ESCAPE)) {
      if (part !== '') html += `<span style="${styles.join('; ')}">${escaped(part)}</span>`;
      continue;
    }
    for (const code of part.slice(2, -1).split(';')) {
      if (code === '' || code === '0') styles = [];
      else if (code === '39') styles = styles.filter((style) => !style.startsWith('color'));
      else if (code === '22') styles = styles.filter((style) => style.startsWith('color'));
      else if (code in STYLES) styles.push(STYLES[code]);
    }
  }
  return html;
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

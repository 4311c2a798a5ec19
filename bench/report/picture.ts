/** A standalone SVG file: charts and text, in its own colours for light and dark. */
import { escapeXml } from '../../src/charts/plain-svg.ts';

/** The only style sheet of the picture: a viewer that ignores it shows black on white. */
const STYLE = `
  svg { color: #1f1f1f; }
  .ground { fill: #fff; }
  @media (prefers-color-scheme: dark) {
    svg { color: #e8e8e8; }
    .ground { fill: #161616; }
  }`;

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export function picture(width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Places a whole SVG in the picture. */
export function placed(chart: string, { left, top, width, height }: Box): string {
  return `<svg x="${left}" y="${top}" width="${width}" height="${height}">${chart}</svg>`;
}

export function words(
  content: string,
  {
    left,
    top,
    size,
    anchor = 'start',
    fill = 'currentColor',
  }: {
    readonly left: number;
    readonly top: number;
    readonly size: number;
    readonly anchor?: 'start' | 'middle';
    readonly fill?: string;
  },
): string {
  return `<text x="${left}" y="${top}" font-size="${size}" text-anchor="${anchor}" fill="${fill}">${escapeXml(content)}</text>`;
}

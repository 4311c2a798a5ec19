/**
 * Removes from ECharts' SVG what a strict Content-Security-Policy refuses or two charts would
 * share.
 */

const ELEMENT = /<(\w+)((?:\s+[\w:-]+="[^"]*")*)\s*>/g;
const ATTRIBUTE = /([\w:-]+)="([^"]*)"/g;
/**
 * Fonts become attributes. Classes and pointer events belong to the omitted style sheet, and clip
 * paths to animations: nothing is drawn outside the axes.
 */
const DROPPED = /^(style|class|pointer-events|clip-path|xml:space|ecmeta_\w+)$/;

/**
 * @param drawn by ECharts, as a whole SVG
 * @param tooltip for what has a place in a series
 * @returns the elements within
 */
export function plainSvg(
  drawn: string,
  tooltip?: (series: number, index: number) => string | undefined,
): string {
  return drawn
    .replaceAll(/<(style|defs)\b[\s\S]*?<\/\1>/g, '')
    .replace(/^<svg[^>]*>\s*/, '')
    .replace(/\s*<\/svg>\s*$/, '')
    .replaceAll(ELEMENT, (_, name: string, text: string) => {
      const attributes = new Map(
        [...text.matchAll(ATTRIBUTE)].map(([, key = '', value = '']) => [key, value]),
      );
      const size = /font-size:(\d+)px/.exec(attributes.get('style') ?? '')?.[1];
      const kept = [...attributes].filter(([key]) => !DROPPED.test(key));
      if (size !== undefined) kept.push(['font-size', size]);
      const words =
        attributes.get('ecmeta_ssr_type') === 'chart'
          ? tooltip?.(
              Number(attributes.get('ecmeta_series_index')),
              Number(attributes.get('ecmeta_data_index')),
            )
          : undefined;
      const title = words === undefined ? '' : `<title>${escapeXml(words)}</title>`;
      return `<${name}${kept.map(([key, value]) => ` ${key}="${value}"`).join('')}>${title}`;
    })
    .trim();
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/**
 * Bars with whiskers (least to most of all rounds), one panel a workload, as an SVG that reads on light and on dark
 * pages.
 */
import type { Bar } from './report.js'

const WIDTH = 760
const LABEL = 190
const FIGURES = 150
const ROW = 26
const HEAD = 44
const GREY = '#8b949e'
const OURS = '#2f81f7'

export interface Panel {
  title: string
  bars: readonly Bar[]
}

/** @param baseline the peer that the ratios refer to */
export function chartOf(panels: readonly Panel[], baseline: string): string {
  let y = 8
  const parts = panels.map(panel => {
    const drawn = panelOf(panel, baseline, y)
    y += HEAD + panel.bars.length * ROW + 16
    return drawn
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="13">
<style>text { fill: #24292f } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }</style>
${parts.join('\n')}
</svg>
`
}

function panelOf({ title, bars }: Panel, baseline: string, top: number): string {
  const most = Math.max(...bars.map(({ max }) => max))
  const x = (value: number): number => LABEL + (value / most) * (WIDTH - LABEL - FIGURES)
  const rows = bars.map(({ label, median, min, max, ratio }, index) => {
    const y = top + HEAD + index * ROW
    const middle = y + ROW / 2
    const text = middle + 4.5
    return [
      `<text x="${LABEL - 10}" y="${text}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABEL}" y="${y + 4}" width="${at(x(median) - LABEL)}" height="${ROW - 8}" rx="2" fill="${label.startsWith('outpost') ? OURS : GREY}"/>`,
      `<path d="M${at(x(min))} ${middle}H${at(x(max))}M${at(x(min))} ${middle - 4}v8M${at(x(max))} ${middle - 4}v8" stroke="#d29922" stroke-width="1.5" fill="none"/>`,
      `<text x="${at(x(max)) + 8}" y="${text}">${Math.round(median).toLocaleString('en')}/s · ${ratio.toFixed(2)} x</text>`,
    ].join('')
  })
  const heading = `<text x="0" y="${top + 16}" font-weight="600">${escaped(title)}</text><text x="0" y="${top + 33}" font-size="11">requests a second, median of all rounds; x: times ${escaped(baseline)}</text>`
  return [heading, ...rows].join('\n')
}

function at(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

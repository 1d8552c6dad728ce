/** The outcomes of a run as Markdown. Whoever publishes it lets Prettier align the columns. */

export function tableOf({ columns, rows }) {
  const lines = [
    columns.map(({ title }) => title),
    columns.map(({ right }) => (right === true ? '---:' : '---')),
    ...rows.map(row => columns.map(({ of }) => of(row))),
  ]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

export function markdownOf({ outcomes, leftOut, machine, rounds, seconds, chart }) {
  const parts = [
    `Measured on ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ` +
      `Node.js ${machine.node}, PM2 ${machine.pm2}, Nginx ${machine.nginx}, HAProxy ${machine.haproxy}, ` +
      `Redis ${machine.redis}; load by wrk ${machine.wrk} on the same machine. ${rounds} rounds of ${seconds} s a peer, ` +
      "in turn; medians; each ratio is the median of the rounds' own ratios.",
  ]
  if (chart !== undefined) parts.push(`![Requests per second, side by side](${chart})`)
  for (const { name, reason } of leftOut) parts.push(`Left out: ${name} (${reason}).`)
  for (const [name, outcome] of outcomes) {
    if (outcome.skipped !== undefined) parts.push(`Not measured: ${name} (${outcome.skipped}).`)
    else parts.push(`### ${outcome.title}`, tableOf(outcome), ...outcome.notes, ...goalsOf(outcome))
  }
  return `${parts.join('\n\n')}\n`
}

function goalsOf({ goals }) {
  if (goals.length === 0) return []
  return [
    goals.map(({ text, found, reached }) => `- ${text}: **${found}**${reached ? '' : ', not reached'}`).join('\n'),
  ]
}

/** The same for a terminal: columns padded, no markup. */
export function plainOf({ title, columns, rows, goals }) {
  const lines = [columns.map(column => column.title), ...rows.map(row => columns.map(({ of }) => of(row)))]
  const widths = columns.map((_, i) => Math.max(...lines.map(cells => cells[i].length)))
  const table = lines.map(cells =>
    cells.map((cell, i) => (columns[i].right === true ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
  )
  const judged = goals.map(
    ({ text, found, reached }) => `${reached ? 'reached    ' : 'NOT REACHED'}  ${text}: ${found}`,
  )
  return [`\n${title}`, ...table, ...judged].join('\n')
}

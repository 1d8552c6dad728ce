import t from 'tap'
import { ChildReports, type ReportTakers } from '#src/primary/child-reports.js'
import type { Child } from '#src/primary/processes/child.js'
import type { SupervisorLog } from '#src/primary/supervisor-log.js'

void t.test('reports of a worker that stops about the others are not in the log', t => {
  const named: string[] = []
  const log: Pick<SupervisorLog, 'targetOut'> = { targetOut: ({ id }) => void named.push(id) }
  const reports = new ChildReports({ log: log as SupervisorLog } as ReportTakers)
  const report = { type: 'target-out', id: '2', reason: 'GET / failed' } as const
  reports.childReported({ state: 'stopping' } as Child, report)
  t.strictSame(named, [])
  reports.childReported({ state: 'ready' } as Child, report)
  t.strictSame(named, ['2'])
  t.end()
})

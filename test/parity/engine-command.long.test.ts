import { knownDifferences } from './known-differences.ts'
import { replay } from './replay.ts'

// The same lines with engine's own command in place of docker's. What the daemon does otherwise is the other suite's.
const own = knownDifferences('engine')
replay("parity of engine's command with docker's", { command: 'engine', known: [...knownDifferences('docker'), ...own], needed: own, skip: false })

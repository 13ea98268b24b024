// Records what a real Docker Engine does for the scenarios: node test/parity/record.ts unix:///run/docker.sock [SCENARIO …]
// The engine must have no container and no image; what the scenarios make is taken away again. Every scenario is played twice: what
// the two runs do not have in common is printed, and is a rule for normalise.ts or a line that should not be there.
import { execFileSync } from 'node:child_process'
import { api } from '../harness/daemon.ts'
import { alignEvents, differencesOf } from './compare.ts'
import { Stage } from './play.ts'
import { writeRecording } from './recording.ts'
import { scenarios } from './scenario.ts'

const [host = '', ...names] = process.argv.slice(2)
const socket = host.replace(/^unix:\/\//, '')
const { Version: server } = (await api(socket, 'GET', '/version')).body as { Version: string }
const client = execFileSync('docker', ['version', '--format', '{{.Client.Version}}'], { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: `unix://${socket}` } }).trim()

using stage = await Stage.open(socket)
let lines = 0
for (const scenario of scenarios().filter(({ name }) => names.length === 0 || names.includes(name))) {
  const first = await stage.play(scenario)
  const second = alignEvents(first, await stage.play(scenario))
  for (const [index, played] of first.entries()) {
    const other = second[index]
    for (const { where, was, is } of other === undefined ? [] : differencesOf(played, other)) {
      process.stdout.write(`${scenario.name}: ${played.line}\n  ${where}: once ${JSON.stringify(was)}\n  then ${JSON.stringify(is)}\n`)
    }
  }
  writeRecording(scenario.name, { server, client }, second)
  lines += second.length
}
process.stdout.write(`${lines} lines of Docker Engine ${server}, by docker ${client}\n`)
await api(socket, 'DELETE', '/images/busybox?force=1')

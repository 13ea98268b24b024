import { accessSync, constants, existsSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busyboxTar } from './base-image.mjs'
import { installed, root } from './places.mjs'
import { SetupError, pause, run, show, step } from './report.mjs'

const engine = '/usr/local/bin/engine'
const image = 'engine-sample'
const container = 'sample'

/** Shows the engine at work: a base image, a build, a container, and how the host sees it.
 * @throws {SetupError} */
export async function demonstrate() {
  await step('base image busybox:latest, from busybox-static', makeBaseImage)
  await demonstrateCommand(['build', '-t', image, 'packages/setup/sample'])
  await startContainer()
  await demonstrateCommand(['ps'])
  await demonstrateCommand(['logs', container])
  await hostView()
  const third = onPath('docker') ? [`docker -H unix://${installed.socket} ps`, 'the docker command, on the same socket'] : [`curl --unix-socket ${installed.socket} http://localhost/v1.51/containers/json`, "Docker's API"]
  const next = [[`engine exec -it ${container} sh`, 'a shell inside the container'], [`engine explain ${container}`, 'every kernel action that made it'], third]
  const width = Math.max(...next.map(([command]) => command.length))
  process.stdout.write(`\nTry next:\n${next.map(([command, what]) => `  ${command.padEnd(width)}   ${what}\n`).join('')}`)
}

/** @returns {Promise<string | undefined>} */
async function makeBaseImage() {
  const present = await run(engine, ['images', '-q', 'busybox:latest'])
  if (present.trim() !== '') return 'in place'
  const file = join(tmpdir(), `engine-busybox-${process.pid}.tar`)
  try {
    await busyboxTar(file)
    await run(engine, ['import', '-c', 'CMD ["sh"]', file, 'busybox:latest'])
  } finally {
    rmSync(file, { force: true })
  }
  return undefined
}

/** Runs the sample; one that runs already, of the same image, goes on. */
async function startContainer() {
  const command = ['run', '-d', '--name', container, image]
  const there = await inspected(container)
  if (there !== undefined && there.Config.Image !== image) {
    throw new SetupError(`There is a container ${container} of yours, of the image ${there.Config.Image}; the demonstration would need its name.`, `engine rename ${container} another-name`)
  }
  const [wanted] = JSON.parse(await run(engine, ['image', 'inspect', image]))
  if (there?.State.Running === true && there.Image === wanted.Id) {
    heading(['engine', ...command])
    process.stdout.write(`(runs already, since ${there.State.StartedAt.slice(0, 19)}Z)\n`)
    return
  }
  if (there !== undefined) await run(engine, ['rm', '-f', container])
  await demonstrateCommand(command)
  // Its first line of output is on its way; on a slow machine for longer.
  for (let i = 0; i < 200 && (await run(engine, ['logs', container])) === ''; i++) await pause(50)
}

/** A container as the daemon sees it, if it is there. @param {string} name */
async function inspected(name) {
  const ids = await run(engine, ['ps', '-aq', '--filter', `name=^/?${name}$`])
  return ids.trim() === '' ? undefined : JSON.parse(await run(engine, ['inspect', name]))[0]
}

/** The container as the host sees it: an ordinary process, with namespaces, a cgroup, and directories of layers. */
async function hostView() {
  const { State, GraphDriver, NetworkSettings } = await inspected(container)
  const pid = State.Pid
  heading(['ps', '-o', 'pid,ppid,user,args', '-p', String(pid)])
  process.stdout.write(await run('ps', ['-o', 'pid,ppid,user,args', '-p', String(pid)]))
  const namespaces = readdirSync(`/proc/${pid}/ns`).filter((name) => !name.endsWith('_for_children'))
  const isShared = (/** @type {string} */ name) => readlinkSync(`/proc/${pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`)
  const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n').find((line) => /:memory:|^0::/.test(line))?.split(':')[2] ?? ''
  const rows = [
    ['own namespaces', namespaces.filter((name) => !isShared(name)).join(' ')],
    ["the host's", namespaces.filter(isShared).join(' ')],
    ['cgroup', short(cgroup)],
    ['address', NetworkSettings.Networks.bridge.IPAddress],
    ['writes go to', short(GraphDriver.Data.UpperDir)],
  ]
  for (const directory of GraphDriver.Data.LowerDir.split(':')) {
    if (existsSync(directory)) rows.push(['layer', `${short(directory)}: ${readdirSync(directory).join(' ')}`])
  }
  process.stdout.write(rows.map(([name, value]) => `${name.padEnd(15)} ${value}\n`).join(''))
}

/** Ids are 64 digits long; a shell still finds the directory by this. @param {string} path @returns {string} */
function short(path) {
  return path.replace(/([0-9a-f]{12})[0-9a-f]{52}/g, '$1*')
}

/** @param {readonly string[]} command */
function heading(command) {
  process.stdout.write(`\n$ ${command.join(' ')}\n`)
}

/** Runs a command of engine's as a user would. @param {readonly string[]} args @throws {SetupError} */
async function demonstrateCommand(args) {
  heading(['engine', ...args])
  const status = await show(engine, args, { cwd: root })
  if (status !== 0) throw new SetupError(`engine ${args.join(' ')} ended with status ${status}.`, `engine info, and ${installed.log} or journalctl -u engine, may tell why`)
}

/** @param {string} name @returns {boolean} */
function onPath(name) {
  return (process.env['PATH'] ?? '').split(':').some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

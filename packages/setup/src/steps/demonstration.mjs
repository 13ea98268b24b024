import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from './places.mjs'
import { run, show, step } from './report.mjs'
import { busyboxTar } from './base-image.mjs'

const engine = '/usr/local/bin/engine'
const image = 'engine-sample'
const container = 'sample'

/** Shows the engine at work: a base image, a build, a container, and how the host sees it. */
export async function demonstrate() {
  await step('base image busybox:latest, from busybox-static', makeBaseImage)
  heading('engine build -t engine-sample packages/setup/sample')
  await check(['build', '-t', image, join(root, 'packages/setup/sample')])
  await run(engine, ['rm', '-f', container]).catch(() => undefined)
  heading(`engine run -d --name ${container} ${image}`)
  await check(['run', '-d', '--name', container, image])
  await sleep(300)
  heading('engine ps')
  await check(['ps'])
  heading(`engine logs ${container}`)
  await check(['logs', container])
  await hostView()
  process.stdout.write(`
Try next:
  engine exec -it ${container} sh          a shell inside the container
  engine explain ${container}              every kernel action that made it
  docker -H unix:///run/engine.sock ps    the docker command, on the same socket
`)
}

/** @returns {Promise<string | undefined>} */
async function makeBaseImage() {
  const present = await run(engine, ['images', '-q', 'busybox:latest'])
  if (present.trim() !== '') return 'in place'
  const file = join(tmpdir(), `engine-busybox-${process.pid}.tar`)
  try {
    await busyboxTar(file)
    await run(engine, ['import', file, 'busybox:latest'])
  } finally {
    rmSync(file, { force: true })
  }
  return undefined
}

/** The container as the host sees it: an ordinary process, with namespaces, a cgroup, and directories of layers. */
async function hostView() {
  const [inspected] = JSON.parse(await run(engine, ['inspect', container]))
  const pid = inspected.State.Pid
  heading('The same container, seen from the host')
  process.stdout.write(await run('ps', ['-o', 'pid,ppid,user,comm,args', '-p', String(pid)]))
  const namespaces = readdirSync(`/proc/${pid}/ns`)
    .filter((name) => !name.endsWith('_for_children'))
    .map((name) => `${name}${readlinkSync(`/proc/${pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`) ? " (the host's)" : ''}`)
  process.stdout.write(`namespaces  ${namespaces.join(', ')}\n`)
  process.stdout.write(`cgroup      ${readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n').find((line) => /memory|^0::/.test(line))?.split(':')[2] ?? ''}\n`)
  const { UpperDir, LowerDir } = inspected.GraphDriver.Data
  process.stdout.write(`writes go to ${UpperDir}\n`)
  for (const directory of LowerDir.split(':')) {
    if (existsSync(directory)) process.stdout.write(`layer       ${directory}: ${readdirSync(directory).join(' ')}\n`)
  }
}

/** @param {string} text */
function heading(text) {
  process.stdout.write(`\n$ ${text}\n`)
}

/** @param {readonly string[]} args */
async function check(args) {
  const status = await show(engine, args)
  if (status !== 0) throw new Error(`engine ${args.join(' ')} ended with status ${status}`)
}

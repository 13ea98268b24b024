import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../harness/command-line.ts'
import { addBases, copyProject } from '../harness/corpus.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'

/** A tar of two files of different owners. */
const archive = await (async () => {
  const place = mkdtempSync(join(tmpdir(), 'engine-archive-'))
  for (const name of ['one', 'two']) {
    writeFileSync(join(place, name), name)
    utimesSync(join(place, name), 1_000_000_000, 1_000_000_000)
  }
  chownSync(join(place, 'two'), 1000, 1000)
  const { status } = await run('tar', ['-C', place, '--numeric-owner', '-cf', join(place, 'tar'), 'one', 'two'])
  assert.equal(status, 0)
  const bytes = readFileSync(join(place, 'tar'))
  rmSync(place, { recursive: true })
  return bytes
})()

/** One of two machines, as far as a build can tell them apart. */
interface Machine {
  readonly daemon: TestDaemon
  /** Runs `engine`, as a user of that machine would. */
  readonly engine: (...args: readonly string[]) => ReturnType<typeof run>
  /** Makes a project's files as they would lie there. */
  readonly checkOut: (name: string) => string
}

describe('the same image on two machines', () => {
  let directory = ''
  const machines: Machine[] = []

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-reproducible-'))
    const plain = await startDaemon()
    machines.push({ daemon: plain, engine: command(plain, [], {}), checkOut: (name) => copyProject(name, directory) })
    // Another host name, umask, time zone and language, and one processor to build on.
    const apart = ['unshare', '--uts', 'taskset', '-c', '0', 'sh', '-c', 'hostname elsewhere; umask 077; exec "$@"', 'sh']
    const foreign = { TZ: 'Asia/Kolkata', LANG: 'tr_TR.UTF-8' }
    const other = await startDaemon({}, apart)
    machines.push({ daemon: other, engine: command(other, apart, foreign), checkOut: (name) => rewritten(copyProject(name, directory)) })
    for (const { daemon } of machines) await addBases(daemon)
  })
  after(async () => {
    for (const { daemon } of machines) await daemon[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  function command({ host }: TestDaemon, under: readonly string[], env: Readonly<Record<string, string>>): Machine['engine'] {
    return (...args) => {
      const [program = '', ...rest] = [...under, join(dist, 'bin/node'), '--', join(dist, 'engine.cjs'), ...args]
      return run(program, rest, { env: { ...env, ENGINE_HOST: host } })
    }
  }

  /** The same files, written in another order, at another time, by another user. */
  function rewritten(project: string): string {
    const copy = mkdtempSync(join(directory, 'again-'))
    const visit = (relative: string): void => {
      for (const name of readdirSync(join(project, relative)).toReversed()) {
        const [from, to] = [join(project, relative, name), join(copy, relative, name)]
        const stat = lstatSync(from)
        if (stat.isDirectory()) {
          mkdirSync(to)
          visit(join(relative, name))
        } else writeFileSync(to, readFileSync(from))
        chmodSync(to, stat.mode & 0o7777)
        chownSync(to, 4321, 1234)
        utimesSync(to, 1_900_000_000, 1_900_000_000)
      }
    }
    visit('')
    return copy
  }

  /** Builds on both, and takes the image's ID and the digest of its archive. */
  async function buildOnBoth(checkOut: (machine: Machine) => string, ...flags: readonly string[]): Promise<string[][]> {
    return Promise.all(machines.map(async (machine, index) => {
      const files = ['id', 'oci'].map((name) => join(directory, `${name}-${index}`))
      const built = await machine.engine('build', '--no-cache', '--iidfile', files[0] ?? '', '-o', `type=oci,dest=${files[1]}`, ...flags, checkOut(machine))
      assert.equal(built.status, 0, built.stdout + built.stderr)
      return files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'))
    }))
  }

  for (const name of ['c', 'typescript']) {
    it(`has one digest: ${name}`, async () => {
      const [here, there] = await buildOnBoth((machine) => machine.checkOut(name), '--reproducible')
      assert.deepEqual(there, here)
      // Steps one at a time, on the machine that made them side by side.
      const [first] = machines
      const verified = await first?.engine('build', '--reproducible', '--verify', first.checkOut(name))
      assert.equal(verified?.status, 0, verified?.stderr)
    })
  }

  it('has one digest with everything that a file can be', async () => {
    const dockerfile = [
      'FROM debian:base AS made', 'RUN mkdir -p /out/z /out/a && for n in 5 3 9 1; do echo $n > /out/z/$n; ln /out/z/$n /out/a/link-$n; ln -s ../z/$n /out/a/soft-$n; done && mkfifo /out/pipe && chmod 4711 /out/z/1 && chown 7:8 /out/z/3',
      'RUN useradd -m someone && rm /out/z/9 && rm -r /var/lib/dpkg/info',
      'FROM debian:base', 'WORKDIR /app/deep', 'COPY . .', 'COPY --link --chown=5:6 src /linked/', 'COPY --from=made /out /etc/passwd /made/', 'ADD files.tar /unpacked/',
      'RUN --mount=target=/context cp -a /context /kept', 'RUN mv /kept /moved && umask > /umask && rm -r /unpacked && mkdir /unpacked && touch /unpacked/new',
      'COPY <<E /inline', 'text', 'E', 'USER 12', 'WORKDIR /home/of/twelve',
    ].join('\n')
    const checkOut = (machine: Machine): string => {
      const context = copyProject('c', directory)
      writeFileSync(join(context, 'Dockerfile'), dockerfile)
      writeFileSync(join(context, 'Dockerfile.dockerignore'), '')
      // An archive has its times and owners in itself, and they are the same everywhere.
      writeFileSync(join(context, 'files.tar'), archive)
      return machine === machines[0] ? context : rewritten(context)
    }
    const [here, there] = await buildOnBoth(checkOut, '--reproducible')
    assert.deepEqual(there, here)
  })

  it('is not what a step makes that depends on the moment: the file and the step are named', async () => {
    const context = mkdtempSync(join(directory, 'different-'))
    writeFileSync(join(context, 'Dockerfile'), 'FROM debian:base\nRUN echo the same > /same\nRUN mkdir /var/lib/app && date +%s%N > /var/lib/app/stamp\nRUN echo later > /later\n')
    const [first] = machines
    const verified = await first?.engine('build', '--reproducible', '--verify', context)
    assert.equal(verified?.status, 1)
    assert.match(verified?.stderr ?? '', /not reproducible: \/?var\/lib\/app\/stamp differs, which was made by: \/bin\/sh -c mkdir \/var\/lib\/app && date/)
  })
})

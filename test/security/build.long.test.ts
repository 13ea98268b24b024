import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { post } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'

let daemon: TestDaemon
/** A directory of the host's that no build may read or write. */
let host: string
let base: string
const canary = `canary-of-the-host-${process.pid}-${Date.now()}`

before(async () => {
  base = mkdtempSync(join(tmpdir(), 'build-security-'))
  host = join(base, 'host')
  daemon = await startDaemon()
  assert.equal((await post(daemon, '/images/create?fromSrc=-&repo=base', busyboxTar())).status, 200)
})
after(async () => {
  await daemon[Symbol.asyncDispose]()
  rmSync(base, { recursive: true, force: true })
})
beforeEach(() => {
  rmSync(host, { recursive: true, force: true })
  mkdirSync(host)
  writeFileSync(join(host, 'canary'), canary)
})

/** Ways up and out, and in by the front door. */
const waysOut = (): string[] => [join(host, 'canary'), `../../../../../../../../../..${join(host, 'canary')}`, `/proc/1/root${join(host, 'canary')}`, `/proc/self/cwd/../../..${join(host, 'canary')}`]

type Make = (directory: string) => void

/** Builds with a context that `make` lays out, and sees that the host's file is neither told nor touched. */
async function attack(make: Make, query = ''): Promise<string> {
  const context = mkdtempSync(join(base, 'context-'))
  make(context)
  const { text } = await post(daemon, `/build?forcerm=1&nocache=1&${query}`, execFileSync('tar', ['-C', context, '-c', '.']))
  const told = text.split('\n').filter((line) => line.includes(canary) && !line.includes('Step '))
  assert.deepEqual(told, [], 'the host’s file was told')
  assert.deepEqual(readdirSync(host), ['canary'], 'the host’s directory was written to')
  assert.equal(readFileSync(join(host, 'canary'), 'utf8'), canary)
  return text
}

const dockerfile = (...lines: string[]): Make => (directory) => writeFileSync(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`)

describe('an attack that succeeds', () => {
  test('is seen by what these tests look at', async () => {
    await assert.rejects(attack((directory) => {
      writeFileSync(join(directory, 'told'), canary)
      dockerfile('FROM base', 'COPY told /told', 'RUN cat /told')(directory)
    }), /the host’s file was told/)
    // As a mount point, a link or a program of the image would be, if it led to the host.
    const bind = (...command: string[]): Promise<unknown> => onHost(['sh', '-c', command.join(' ')])
    await bind('touch', '/host/made')
    await assert.rejects(attack(dockerfile('FROM base')), /the host’s directory was written to/)
    rmSync(join(host, 'made'))
    await bind('echo', 'other', '>', '/host/canary')
    await assert.rejects(attack(dockerfile('FROM base')), /other/)
  })

  /** Runs a command that has the host's directory, as the user may allow it. */
  async function onHost(command: readonly string[]): Promise<void> {
    const created = await daemon.api('POST', '/containers/create', { Image: 'base', Cmd: command, HostConfig: { Binds: [`${host}:/host`], NetworkMode: 'none' } })
    const { Id } = created.body as { Id: string }
    await daemon.api('POST', `/containers/${Id}/start`)
    assert.deepEqual((await daemon.api('POST', `/containers/${Id}/wait`)).body, { StatusCode: 0 })
    await daemon.api('DELETE', `/containers/${Id}`)
  }

  test('would take these ways: each leads where it should within the context and the image', async () => {
    const inside = async (...lines: string[]): Promise<string> => {
      const text = await attack((directory) => {
        mkdirSync(join(directory, 'sub'))
        writeFileSync(join(directory, 'sub/file'), 'of-the-context')
        symlinkSync('sub/file', join(directory, 'link'))
        symlinkSync('../../../../sub', join(directory, 'up'))
        symlinkSync('/sub/file', join(directory, 'absolute'))
        dockerfile('FROM base', ...lines)(directory)
      })
      assert.doesNotMatch(text, /errorDetail/)
      return text
    }
    for (const source of ['link', 'up/file', 'absolute', 'sub/../sub/file']) {
      assert.match(await inside(`COPY ${source} /got`, 'RUN cat /got'), /of-the-context/, source)
      assert.match(await inside(`RUN --mount=type=bind,source=${source},target=/got cat /got`), /of-the-context/, source)
    }
    const place = 'RUN mkdir /real && ln -s /real /absolute && ln -s ../../../real /relative && ln -s /proc/1/root/real /magic'
    for (const link of ['/absolute', '/relative']) {
      assert.match(await inside(place, `COPY sub/file ${link}/made`, 'RUN cat /real/made'), /of-the-context/, link)
      assert.match(await inside(place, `WORKDIR ${link}/dir`, 'RUN pwd -P; test -d /real/dir && echo it-is-there'), /it-is-there/, link)
      assert.match(await inside(place, `RUN --mount=type=tmpfs,target=${link}/made touch /real/made/x && echo through-the-link`), /through-the-link/, link)
    }
    assert.match(await inside('RUN --mount=type=cache,id=kept,target=/c echo it-is-kept > /c/x', 'RUN --mount=type=cache,id=kept,target=/c cat /c/x'), /it-is-kept/)
  })
})

describe('files of a context that are links out of it', () => {
  test('are no Dockerfile and no .dockerignore', async () => {
    for (const way of waysOut()) {
      const text = await attack((directory) => symlinkSync(way, join(directory, 'Dockerfile')))
      assert.match(text, /Cannot locate specified Dockerfile|ELOOP|too many levels/, text)
      await attack((directory) => {
        symlinkSync(way, join(directory, '.dockerignore'))
        dockerfile('FROM base', 'COPY . /all', 'RUN cat /all/.dockerignore || true')(directory)
      })
      await attack(dockerfile('FROM base'), `dockerfile=${encodeURIComponent(way)}`)
    }
  })

  test('are not followed by COPY, ADD or mounts, nor are names with ..', async () => {
    for (const way of waysOut()) {
      for (const source of ['link', 'up/canary', way.replace(/^\/proc.*/, '/link')]) {
        const make = (...lines: string[]): Make => (directory) => {
          symlinkSync(way, join(directory, 'link'))
          symlinkSync(way.replace(/\/canary$/, ''), join(directory, 'up'))
          dockerfile(...lines)(directory)
        }
        await attack(make('FROM base', `COPY ${source} /got`, 'RUN cat /got || true'))
        await attack(make('FROM base', `ADD ${source} /got`, 'RUN cat /got/* /got || true'))
        await attack(make('FROM base', `RUN --mount=type=bind,source=${source},target=/got cat /got || true`))
        await attack(make('FROM base', `RUN --mount=type=bind,source=${source},target=/got,rw echo x > /got || true`))
        await attack(make('FROM base AS low', `COPY . /`, 'FROM base', `RUN --mount=type=bind,from=low,source=/${source.replace(/^\//, '')},target=/got cat /got || true`))
        await attack(make('FROM base AS low', `COPY . /`, 'FROM base', `COPY --from=low /${source.replace(/^\//, '')} /got`, 'RUN cat /got || true'))
      }
    }
  })
})

describe('targets', () => {
  test('stay in the root of the image, links and .. or not', async () => {
    const up = `../../../../../../../../../..${host}`
    const make = (...lines: string[]): Make => (directory) => {
      writeFileSync(join(directory, 'f'), 'written by a build')
      dockerfile('FROM base', `RUN ln -s ${host} /absolute && ln -s ${up} /relative && ln -s /proc/1/root${host} /magic`, ...lines)(directory)
    }
    for (const place of [up, '/absolute', '/relative', '/magic', `/proc/1/root${host}`]) {
      await attack(make(`COPY f ${place}/made`))
      await attack(make(`COPY f ${place}/`))
      await attack(make(`ADD --link f ${place}/made`))
      await attack(make(`WORKDIR ${place}/made`))
      await attack(make(`RUN --mount=type=tmpfs,target=${place}/made touch ${place}/made/x || true`))
      await attack(make(`RUN --mount=type=cache,target=${place}/made touch ${place}/made/x || true`))
      await attack(make(`RUN --mount=type=bind,source=f,target=${place}/made true`))
      await attack(make(`COPY <<E ${place}/made`, 'x', 'E'))
    }
  })

  test('that another step changes meanwhile (CVE-2024-23651, CVE-2024-23652)', async () => {
    // Both stages have the cache; one makes the other's mount point now a directory, now a link to the host's directory.
    const flip = `RUN --mount=type=cache,id=race,target=/c for i in $(seq 300); do rm -rf /c/p; ln -s ${host} /c/p; rm -rf /c/p; mkdir -p /c/p; done`
    const mounts = Array.from({ length: 6 }, (_, i) => `RUN --mount=type=cache,id=race,target=/c --mount=type=bind,source=f,target=/c/p/made --mount=type=tmpfs,target=/c/p/also echo ${i} || true`)
    await attack((directory) => {
      writeFileSync(join(directory, 'f'), 'f')
      dockerfile('FROM base AS flips', flip, 'FROM base AS mounts', ...mounts, 'FROM base', 'COPY --from=flips /bin/busybox /a', 'COPY --from=mounts /bin/busybox /b')(directory)
    })
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${host}`))
  })
})

describe('cache mounts', () => {
  test('have ids that are no paths', async () => {
    for (const id of [`../../../../../../..${host}`, host, '..', '.', 'a/../../b', 'x%00y', '-rf', '\u202e', 'x'.repeat(5000)]) {
      await attack(dockerfile('FROM base', `RUN --mount=type=cache,id=${id},target=/c touch /c/made; ls /c`))
    }
    for (const name of readdirSync(join(daemon.dataRoot, 'build-cache'))) assert.match(name, /^[0-9a-zA-Z_-]+$/)
    assert.ok(!existsSync(join(daemon.dataRoot, 'made')) && !existsSync(join(daemon.dataRoot, 'build-cache/made')))
  })

  test('do not begin with what a stage’s link leads to', async () => {
    const text = await attack(dockerfile('FROM base AS low', `RUN ln -s ${host} /out && mkdir /in && ln -s ${host}/canary /in/link`, 'FROM base', 'RUN --mount=type=cache,id=seed1,from=low,source=/out,target=/c cat /c/* || true', 'RUN --mount=type=cache,id=seed2,from=low,source=/in,target=/c cat /c/link || true'))
    assert.ok(text.length > 0)
  })
})

describe('programs', () => {
  test('of an image are never run on the host', async () => {
    await attack((directory) => {
      mkdirSync(join(directory, 'bin'))
      // Each would leave its mark on the host, whose path it has.
      for (const name of ['git', 'tar', 'xz', 'gzip', 'unpigz', 'pigz', 'zstd', 'bzip2', 'ssh', 'curl', 'sh', 'iptables', 'nft', 'ip', 'modprobe', 'mount', 'runc', 'node']) {
        writeFileSync(join(directory, 'bin', name), `#!/bin/busybox sh\n/bin/busybox touch ${host}/run-${name}\nexec /bin/busybox ${name} "$@"\n`)
        chmodSync(join(directory, 'bin', name), 0o755)
      }
      writeFileSync(join(directory, 'content'), 'content')
      for (const [flag, name] of [['-z', 'a.tar.gz'], ['-J', 'a.tar.xz'], ['-j', 'a.tar.bz2'], ['-c', 'a.tar']] as const) execFileSync('tar', ['-C', directory, flag, '-cf', join(directory, name), 'content'])
      dockerfile('FROM base', 'COPY bin /usr/bin/', 'COPY bin /usr/sbin/', 'ENV PATH=/usr/bin:/usr/sbin:/bin', 'ADD a.tar.gz a.tar.xz a.tar.bz2 a.tar /out/', 'WORKDIR /usr/bin', 'RUN ["/bin/busybox", "true"]', 'ADD http://127.0.0.1:1/x.git /git')(directory)
    })
  })

  test('are not named by addresses of repositories', async () => {
    const mark = join(host, 'ran')
    for (const remote of [`ext::sh -c touch% ${mark}`, `--upload-pack=touch ${mark};.git`, `file://${host}`, `git://-oProxyCommand=touch ${mark}/x.git`, `ssh://-oProxyCommand=touch%20${mark}/x.git`, `git@-oProxyCommand=touch ${mark}:x.git`, `https://127.0.0.1:1/x.git#--upload-pack=touch ${mark}`, host]) {
      const { text } = await post(daemon, `/build?remote=${encodeURIComponent(remote)}`, Buffer.alloc(0))
      assert.match(text, /message|error/, remote)
      await attack(dockerfile('FROM base', `ADD ${JSON.stringify([remote, '/x'])}`))
    }
    assert.ok(!existsSync(mark))
  })
})

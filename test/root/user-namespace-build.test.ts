import assert from 'node:assert/strict'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import type { BuildOptions } from '../../packages/engine/src/interface.ts'
import { tarOf } from '../harness/build.ts'
import { openTestEngine } from '../harness/engine.ts'

const mappings = { uids: [{ containerID: 0, hostID: 500_000, size: 65_536 }], gids: [{ containerID: 0, hostID: 600_000, size: 65_536 }] }
const world = openTestEngine({ after }, { usernsRemap: { mappings, root: { uid: 500_000, gid: 600_000 } } })

const defaults: BuildOptions = {
  tags: [], dockerfile: 'Dockerfile', buildArgs: {}, labels: {}, noCache: false, quiet: false, remove: true, forceRemove: true, target: '', platform: '',
  networkMode: 'none', extraHosts: [], cacheFrom: [],
}

test('steps of a build run with the ids of other containers, and their layers know nothing of it', async () => {
  const { engine, options, run } = await world
  const dockerfile = `FROM busybox AS tools
RUN echo tool > /tool && chmod 644 /tool
FROM busybox
WORKDIR /w
RUN cat /proc/self/uid_map && echo x > f && chown 33:34 f && chmod 4755 f
RUN --mount=type=cache,target=/cache,uid=7,gid=8,mode=0755 stat -c 'cache %u:%g' /cache && echo c > /cache/c
RUN --mount=type=bind,from=tools,target=/tools cat /tools/tool
USER 1000
RUN <<SCRIPT
id -u
test ! -e /cache/c
SCRIPT
`
  let text = ''
  for await (const line of engine.images.build(Readable.from([tarOf({ Dockerfile: dockerfile })]), { ...defaults, tags: ['remapped'] }, new AbortController().signal)) {
    assert.equal(line['error'], undefined, `${text}\n${String(line['error'])}`)
    if (typeof line['stream'] === 'string') text += line['stream']
  }
  assert.match(text, /0 +500000 +65536/)
  assert.match(text, /cache 7:8/)
  assert.match(text, /^tool$/m)
  assert.match(text, /^1000$/m)
  for (const UsernsMode of ['', 'host']) assert.equal((await run(['stat', '-c', '%u:%g %a', '/w/f', '/w'], { UsernsMode }, { Image: 'remapped', User: '0' })).stdout, '33:34 4755\n0:0 755\n', UsernsMode)
  // What a step leaves in a cache is that step's user's.
  const [cache] = readdirSync(join(options.dataRoot, 'build-cache'))
  const { uid, gid } = lstatSync(join(options.dataRoot, 'build-cache', cache as string, 'c'))
  assert.deepEqual([uid, gid], [500_000, 600_000])
})

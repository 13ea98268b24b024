import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { resolveRemap, type IdFiles } from './remap.ts'
import { freeRange, parseSubordinateRanges } from './subordinate-ids.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-remap-'))
after(() => rmSync(directory, { recursive: true }))

function files(subuid: string, subgid = subuid): IdFiles {
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  return {
    passwd: write('passwd', 'root:x:0:0::/:\nann:x:1000:1000::/:\nbob:x:1001:50::/:\n'),
    group: write('group', 'root:x:0:\nann:x:1000:\nstaff:x:50:\nbob:x:1001:\n'),
    subuid: write('subuid', subuid),
    subgid: write('subgid', subgid),
  }
}

describe('userns-remap', () => {
  const both = 'ann:100000:65536\nbob:300000:10\n1001:400000:20\nstaff:500000:65536\n'

  test('takes a user and a group by name or number', () => {
    const ids = (spec: string) => {
      const { mappings: { uids, gids }, root } = resolveRemap(spec, files(both)) ?? assert.fail()
      assert.deepEqual([root.uid, root.gid], [uids[0]?.hostID, gids[0]?.hostID])
      return [uids, gids].map((map) => map.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`).join(', '))
    }
    assert.deepEqual(ids('ann'), ['0 100000 65536', '0 100000 65536'])
    assert.deepEqual(ids('1000'), ids('ann'))
    // Ranges of the name and of the number follow each other.
    assert.deepEqual(ids('bob:staff'), ['0 300000 10, 10 400000 20', '0 500000 65536'])
    assert.deepEqual(ids('1001:50'), ids('bob:staff'))
    assert.equal(resolveRemap('', files(both)), undefined)
  })

  test('says what is missing, and refuses the host’s root', () => {
    for (const [spec, message] of [
      ['a:b:c', 'invalid user/group specification in --userns-remap: "a:b:c"'],
      ['ann:', 'invalid user/group specification in --userns-remap: "ann:"'],
      ['eve', `error during uid lookup for "eve": no such name in ${join(directory, 'passwd')}`],
      ['ann:eve', `error during gid lookup for "eve": no such name in ${join(directory, 'group')}`],
      ['7', `uid 7 has no entry in ${join(directory, 'passwd')}`],
      ['1000:7', `gid 7 has no entry in ${join(directory, 'group')}`],
      ['root', "--userns-remap root: the host's root cannot be who containers' users are mapped to"],
      ['ann:root', "--userns-remap ann:root: the host's root cannot be who containers' users are mapped to"],
    ] as const) assert.throws(() => resolveRemap(spec, files(both)), { message })
    assert.throws(() => resolveRemap('ann', files('bob:1:1\n')), { message: 'no subuid ranges found for user "ann"' })
    assert.throws(() => resolveRemap('ann', files('ann:100000:65536\n', '')), { message: 'no subgid ranges found for user "ann"' })
    assert.throws(() => resolveRemap('ann', files('ann:0:65536\n')), /begins with the host's root/)
    assert.throws(() => resolveRemap('ann', files('ann:4294967000:65536\n')), /goes beyond the largest id/)
  })

  test('default is dockremap, who gets a range that nobody has', () => {
    const given = files('ann:100000:65536')
    const first = resolveRemap('default', given)
    assert.deepEqual(first?.mappings.uids, [{ containerID: 0, hostID: 165_536, size: 65_536 }])
    assert.equal(readFileSync(given.subuid, 'utf8'), 'ann:100000:65536\ndockremap:165536:65536\n')
    assert.equal(readFileSync(given.subgid, 'utf8'), 'ann:100000:65536\ndockremap:165536:65536\n')
    assert.deepEqual(resolveRemap('default', given), first)
    assert.equal(readFileSync(given.subuid, 'utf8').match(/dockremap/g)?.length, 1)
    assert.deepEqual(resolveRemap('default', files('dockremap:700000:65536\n'))?.root, { uid: 700_000, gid: 700_000 })
  })

  test('free ranges and lines that are none', () => {
    assert.deepEqual(parseSubordinateRanges('# x\na:1:2\n\nb:1\nc:x:2\n a:1:2\n'), [{ owner: 'a', first: 1, count: 2 }])
    const taken = (...ranges: [number, number][]) => freeRange(ranges.map(([first, count]) => ({ owner: 'x', first, count }))).first
    assert.equal(taken(), 100_000)
    assert.equal(taken([165_536, 65_536]), 100_000)
    assert.equal(taken([165_535, 1], [100_000, 10]), 165_536)
    assert.equal(taken([100_000, 65_536], [120_000, 1_000_000]), 1_120_000)
  })
})

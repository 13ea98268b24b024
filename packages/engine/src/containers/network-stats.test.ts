import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLinks } from './network-stats.ts'

test('what links carried is read from /proc/net/dev, also where a name touches the numbers', () => {
  const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:123456789   22    3    4    5     6          7         8      9      10   11   12   13    14      15         16
`
  assert.deepEqual(parseLinks(table).map(([name]) => name), ['lo', 'eth0'])
  assert.deepEqual(parseLinks(table)[1]?.[1], { rx_bytes: 123456789, rx_packets: 22, rx_errors: 3, rx_dropped: 4, tx_bytes: 9, tx_packets: 10, tx_errors: 11, tx_dropped: 12 })
})

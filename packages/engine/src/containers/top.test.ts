import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePs } from './top.ts'

const output = `UID        PID  PPID  C STIME TTY          TIME CMD
root         1     0  0 17:00 ?        00:00:01 /sbin/init splash
root        77     1  0 17:46 ?        00:00:00 sleep 1000
root         -     -  0 17:46 -        00:00:00 -
nobody      78    77  0 17:46 ?        00:00:00 sh -c  echo   x
`

test('only the container’s rows, the last column whole, threads with their process', () => {
  assert.deepEqual(parsePs(output, new Set([77, 78])), {
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: [
      ['root', '77', '1', '0', '17:46', '?', '00:00:00', 'sleep 1000'],
      ['root', '-', '-', '0', '17:46', '-', '00:00:00', '-'],
      ['nobody', '78', '77', '0', '17:46', '?', '00:00:00', 'sh -c echo x'],
    ],
  })
})

test('output without pids is refused', () => {
  assert.throws(() => parsePs('COMMAND\nsh\n', new Set()), { message: "Couldn't find PID field in ps output" })
  assert.throws(() => parsePs('PID X\nabc y\n', new Set()), { message: `Unexpected pid 'abc': strconv.Atoi: parsing "abc": invalid syntax` })
})

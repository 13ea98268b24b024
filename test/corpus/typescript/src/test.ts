import { deepEqual } from 'node:assert/strict'
import { tally } from './words'

deepEqual(tally('one two Two'), [['two', 2], ['one', 1]])
deepEqual(tally(''), [])
deepEqual(tally('über Über'), [['über', 2]])
console.log('3 tests passed')

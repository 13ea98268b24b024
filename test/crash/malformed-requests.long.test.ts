import { it } from 'node:test'
import { fuzz } from '../harness/fuzz.ts'

it('answers ten thousand malformed requests without a fault, a hang or a leftover', () => fuzz(10_000, Number(process.env['ENGINE_FUZZ_SEED'] ?? Date.now() % 1_000_000)))

import { it } from 'node:test'
import { fuzz } from '../harness/fuzz.ts'

it('answers three hundred malformed requests without a fault, a hang or a leftover', () => fuzz(300, Number(process.env['ENGINE_FUZZ_SEED'] ?? 1)))

/** How many times longer than on a machine of today everything may take: set for emulated processors. */
export const patience = Number(process.env['ENGINE_TEST_PATIENCE'] ?? 1)

export function faultOfNode(modules: string): string | null;

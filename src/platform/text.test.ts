import { expect, test } from 'vitest';

import { TEXT_PATTERN, textFault } from './text.ts';

const CODE_POINTS = 0x110000;
const isSurrogate = (codePoint: number) => codePoint >= 0xd800 && codePoint <= 0xdfff;

test('the published pattern allows exactly the characters that the rule does', () => {
  const pattern = new RegExp(TEXT_PATTERN, 'u');
  for (let codePoint = 0; codePoint < CODE_POINTS; codePoint++) {
    if (isSurrogate(codePoint)) continue;
    const text = String.fromCodePoint(codePoint);
    if (pattern.test(text) !== (textFault(text) === null)) {
      expect.fail(`U+${codePoint.toString(16)}: ${textFault(text)}`);
    }
  }
});

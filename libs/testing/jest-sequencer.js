import Sequencer from '@jest/test-sequencer';

/** The tests of whole systems take longest: begun last, they would run on when all others are done. */
export default class SystemTestsFirst extends Sequencer {
  sort(tests) {
    const isOfSystem = ({ path }) => path.includes('/system-tests/');
    const { true: first = [], false: rest = [] } = Object.groupBy(super.sort(tests), isOfSystem);
    return [...first, ...rest];
  }
}

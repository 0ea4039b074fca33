export { principal, type Principal } from './principal.ts';
export { defineTopic, type RetryPolicy, type Topic } from './topics/topic.ts';

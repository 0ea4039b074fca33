import { topicCatalog, topicSchema } from '@soma/contracts';
import { format, resolveConfig } from 'prettier';

/** A file that is made from code, relative to the workspace. */
export interface GeneratedFile {
  path: string;
  content: string;
}

/** The JSON Schema of every topic, named as its values name it. */
export async function kafkaSchemas(workspace: string): Promise<GeneratedFile[]> {
  const style = await resolveConfig(`${workspace}/any.json`);
  return Promise.all(
    topicCatalog.map(async (topic) => ({
      path: `libs/contracts/schemas/kafka/${topic.version}.json`,
      content: await format(JSON.stringify(topicSchema(topic)), { ...style, parser: 'json' }),
    })),
  );
}

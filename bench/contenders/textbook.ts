/**
 * The textbook workflow: a timer, then an activity that posts. The SDK's and the server's
 * default settings, on the same Temporal server as Daybell.
 */
import { fileURLToPath } from 'node:url';

import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import pLimit from 'p-limit';

import type { Engine } from '../support/engine.ts';
import { benchUsers, createGreeter } from '../support/greeter.ts';
import type { GreetActivities } from './textbook-workflow.ts';

/** Concurrent starts: more do not make a server on two cores faster. */
const STARTS = 32;
const TOLD_EVERY = 50;

export const engine: Engine = {
  async start({ users: count, dueAt, temporalAddress, webhookUrl, webhookSecret }, onLoaded) {
    const address = { address: temporalAddress };
    const taskQueue = `textbook-${dueAt}`;
    const greeter = createGreeter(webhookUrl, webhookSecret);
    const activities: GreetActivities = { greet: (user) => greeter.greet(user, dueAt) };
    const worker = await Worker.create({
      connection: await NativeConnection.connect(address),
      taskQueue,
      workflowsPath: fileURLToPath(new URL('textbook-workflow.ts', import.meta.url)),
      activities,
    });
    const running = worker.run();

    const client = new Client({ connection: await Connection.connect(address) });
    const limit = pLimit(STARTS);
    let started = 0;
    await Promise.all(
      benchUsers(count).map((user) =>
        limit(async () => {
          const workflowId = `textbook/${user.id}`;
          await client.workflow.start('greetAtInstant', {
            workflowId,
            taskQueue,
            args: [user, dueAt],
          });
          started += 1;
          if (started % TOLD_EVERY === 0) onLoaded(started);
        }),
      ),
    );
    return {
      async unfinished() {
        const query = `TaskQueue = "${taskQueue}" and ExecutionStatus = "Running"`;
        return (await client.workflow.count(query)).count;
      },
      async stop() {
        // The SDK has received the signal too.
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
        greeter.close();
      },
    };
  },
};

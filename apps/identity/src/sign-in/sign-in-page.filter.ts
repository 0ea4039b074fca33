import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { type Page, sendPage } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { FastifyReply } from 'fastify';
import { errors } from 'oidc-provider';
import { StateError } from './oauth-states.ts';
import { endPage } from './pages/sign-in-pages.ts';

const START_AGAIN = 'Go back to where you came from and start again.';

/** Shows people a page where programs get a problem. */
@Catch()
export class SignInPageFilter implements ExceptionFilter {
  private readonly logger = new Logger(SignInPageFilter.name);

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    await sendPage(reply, this.pageFor(error));
  }

  private pageFor(error: unknown): Page {
    if (error instanceof StateError) {
      const advice = `It was started in another browser, too long ago, or it is over. ${START_AGAIN}`;
      return endPage(400, 'This sign-in cannot go on', advice);
    }
    if (error instanceof errors.SessionNotFound) {
      return endPage(400, 'This sign-in is over', START_AGAIN);
    }
    if (error instanceof Problem && error.status < 500) {
      return endPage(error.status, 'This does not work', error.message);
    }
    this.logger.error({ message: 'A sign-in failed.', error });
    return endPage(500, 'Something failed', `It is not your fault. ${START_AGAIN}`);
  }
}

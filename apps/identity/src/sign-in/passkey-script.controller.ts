import { Controller, Get, Header } from '@nestjs/common';
import { Public } from '@soma/auth';
import { Undocumented } from '@soma/http';
import { PASSKEY_SCRIPT } from './pages/passkey-script.ts';

@Public()
@Undocumented()
@Controller('api/auth/passkey.js')
export class PasskeyScriptController {
  @Get()
  @Header('content-type', 'text/javascript; charset=utf-8')
  @Header('x-content-type-options', 'nosniff')
  @Header('cache-control', 'public, max-age=3600')
  script(): string {
    return PASSKEY_SCRIPT;
  }
}

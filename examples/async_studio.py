"""The same studio for asyncio: any number of jobs can be awaited without a thread each."""

import asyncio

from omnifex import AsyncStudio


async def make(studio: AsyncStudio, prompt: str) -> str:
    job = await studio.submit("image", prompt=prompt, steps=8)
    (picture,) = await job.result(timeout=120)
    return f"{prompt}: {picture.size:,} bytes"


async def main() -> None:
    prompts = [f"a {colour} ring on a white background" for colour in ("red", "green", "blue")]
    async with AsyncStudio() as studio:
        for line in await asyncio.gather(*(make(studio, prompt) for prompt in prompts)):
            print(line)


asyncio.run(main())

"""Work off the GUI thread: requests, replies, a latest-wins mailbox and a generator scheduler."""

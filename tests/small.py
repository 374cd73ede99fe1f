"""What makes a run of any task small enough for a test."""

FEW_STEPS = (
    "model.hidden_size=6",
    "model.embed_size=6",
    "trainer.max_steps=4",
    "samples.every=2",
    "samples.length=5",
)
PROJECTED = ("model.output_size=6",)  # beside FEW_STEPS, where the output layer reads a projection
SMALL_STREAM = ("data.dev_size=6", "data.batch_size=2", "trainer.val_every=2")
SMALL_TASK = {
    "poems": (
        "corpus=sample",
        "data.poems=12",
        "data.train_poems=null",
        "data.dev_poems=null",
        "data.batch_size=4",
        "data.max_chars=30",
        "trainer.max_epochs=2",
    ),
    "palindromes": ("corpus.length=6", "data.dev_size=20", "data.batch_size=4", "trainer.val_every=2"),
    "book": ("corpus.path=tale.txt", "data.seq_len=5", "data.batch_size=4", "trainer.val_every=2"),
}
FIXED_POOL = ("data.pool=12", "data.dev_poems=4")  # of data.split=fixed, in the place of the null above
TALE = "Once upon a time. " * 20  # tale.txt
VECTORS = "山 1 2 3 4 5 6\n"  # data/vectors.txt, as wide as the embeddings above


def small_sizes(task: str) -> tuple[str, ...]:
    """Return the overrides that make a run of a task small; SMALL_STREAM for one that draws without end."""
    return SMALL_TASK.get(task, SMALL_STREAM)

"""What several widgets share: the browser kit, pictures of micrographs and volumes, curves, live jobs."""

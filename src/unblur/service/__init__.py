"""The service: REST calls, the page, and one table of jobs under both.

A request becomes a row of the table (`jobs`) and files in a store (`store`). A worker (`worker`)
claims the row and lets a child process (`child`) do the work. Nothing else is shared between them,
so that each may die at any moment.
"""
